module counterfoil.invalid/sumdb

// So that the Go of Debian 12, 1.19, builds it.
go 1.18

require golang.org/x/mod v0.17.0
