"""The style of the pages.  Part of the template: another byte here is another version of it."""

from typing import Final

# Its hash stands in the page's policy, so that no other style counts.
STYLE: Final = """
:root{--ink:#1b1b1f;--paper:#fff;--soft:#565661;--line:#d3d3dc;--wash:#f4f4f7;--said:#e8e8ee;--balance:#2f5fb3;--credit:#1a7f4b;--debit:#b3402a}
@media screen and (prefers-color-scheme:dark){:root{--ink:#ececf1;--paper:#17171b;--soft:#ababb8;--line:#41414c;--wash:#222228;--said:#31313a;--balance:#7ba7f0;--credit:#4cc38a;--debit:#f0876f}}
@page{size:A4;margin:18mm 16mm;@bottom-right{content:"Page " counter(page) " of " counter(pages);font:8pt system-ui,sans-serif;color:#565661}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem}
.issuer{font-size:1.15rem;font-weight:600;margin:0 0 1.25rem;padding-bottom:.5rem;border-bottom:2px solid var(--ink);max-width:none;overflow-wrap:anywhere}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 1rem;overflow-wrap:anywhere}
time{display:inline-block}
h2{font-size:1.15rem;color:var(--ink);margin:1.75rem 0 .4rem}
p,li,figcaption{max-width:42rem}
table{border-collapse:collapse;width:100%}
caption{text-align:start;color:var(--soft);padding:.25rem 0;overflow-wrap:anywhere}
th,td{text-align:start;vertical-align:top;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere;overflow:clip}
th{font-weight:600}
.facts th{width:15.5rem;font-weight:400;color:var(--soft)}
.account{width:auto;min-width:min(100%,24rem)}
.account th{font-weight:400;color:var(--soft);padding-inline-end:1rem}
.account tr:last-child>*{border-top:2px solid var(--ink);color:var(--ink)}
.account tr:last-child th{font-weight:600}
.listing{font-size:.875rem}
.listing .what{overflow-wrap:normal}
.listing .said{min-width:6rem}
.listing thead th{white-space:normal;overflow-wrap:normal}
.index,.instant{font-variant-numeric:tabular-nums;white-space:nowrap}
.unit{text-align:end}
.listing .figure{padding-inline-end:1rem}
.figure{text-align:end;font-variant-numeric:tabular-nums;white-space:nowrap}
.account .long{white-space:normal;overflow-wrap:normal;min-width:20ch}
[data-room]::after{content:attr(data-room);visibility:hidden}
.wide{overflow-x:auto}
.wide caption{max-width:calc(min(100vw,60rem) - 3.5rem)}
@media screen{.wide{background:linear-gradient(90deg,var(--paper) 1rem,transparent) 0/3rem 100% local no-repeat,linear-gradient(270deg,var(--paper) 1rem,transparent) 100%/3rem 100% local no-repeat,linear-gradient(90deg,var(--line),transparent) 0/.75rem 100% no-repeat,linear-gradient(270deg,var(--line),transparent) 100%/.75rem 100% no-repeat}}
.note{background:var(--wash);border-inline-start:4px solid var(--balance);padding:.6rem .9rem;max-width:none}
small{color:var(--soft);font-size:.875em}
code{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}
bdi{background:var(--said);border-radius:2px;padding:0 .1em;white-space:break-spaces;-webkit-box-decoration-break:clone;box-decoration-break:clone;print-color-adjust:exact}
b{border:1px solid var(--debit);border-radius:3px;padding:0 .15em;font:600 .75em ui-monospace,monospace}
dl{margin:0}
dd{margin:0 0 0 1.25rem}
figure{margin:1rem 0}
svg{display:block;width:100%;height:auto;font:120px system-ui,sans-serif}
svg text{fill:var(--ink)}
.soft{fill:var(--soft)}
.rule{stroke:var(--line);stroke-width:10}
.zero{stroke:var(--soft);stroke-width:10;stroke-dasharray:40 40}
.curve{fill:none;stroke:var(--balance);stroke-width:24;stroke-linejoin:round}
.balance{fill:var(--balance)}
.credit{fill:var(--credit)}
.debit{fill:var(--debit)}
@media (forced-colors:active){bdi{outline:1px dotted}}
@media screen and (max-width:40rem){h1{font-size:1.3rem}.facts th{width:36%}svg{font-size:190px}.instant{white-space:normal;overflow-wrap:normal}}
@media print{main{max-width:none;padding:0}body{font-size:9.5pt;line-height:1.4}h1{font-size:1.5rem}h2{margin-top:1.1rem}p{margin-block:.5em}figure{margin:.6rem 0}.facts th,.facts td,.account th,.account td{padding-block:.2rem}.listing{font-size:8pt}.wide{overflow:visible}.wide caption{max-width:none}svg{width:60%;font-size:190px}.facts th{width:12.5rem}.long{white-space:normal;overflow-wrap:normal;min-width:20ch}.listing .said{min-width:4rem}.listing th,.listing td{padding-block:.15rem}thead{display:table-header-group}tr,figure,.note,.account{break-inside:avoid}h2{break-after:avoid}svg,.note{print-color-adjust:exact}}
"""
