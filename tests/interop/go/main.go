// Sumdb verifies with the Go team's own sumdb/note and sumdb/tlog what the tests hand it.
//
// Each line of standard input is a JSON object; each is answered with one line, "ok" or "refused: " and why.
//
//	{"op": "note", "key": vkey, "note": checkpoint}
//	{"op": "inclusion", "key": vkey, "proof": tlog-proof, "entry": the bytes of the leaf}
//	{"op": "consistency", "key": vkey, "old": checkpoint, "file": consistency file}
//
// What is done here is reading lines.  Signatures, leaf hashes, inclusion and consistency are decided by the libraries.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type request struct {
	Op, Key, Note, Proof, Entry, Old, File string
}

type checkpoint struct {
	size int64
	root tlog.Hash
}

func main() {
	answers := bufio.NewWriter(os.Stdout)
	defer answers.Flush()
	requests := json.NewDecoder(os.Stdin)
	for {
		var asked request
		err := requests.Decode(&asked)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err = verify(asked); err != nil {
			fmt.Fprintf(answers, "refused: %q\n", err.Error())
		} else {
			fmt.Fprintln(answers, "ok")
		}
	}
}

func verify(asked request) error {
	switch asked.Op {
	case "note":
		_, err := open(asked.Note, asked.Key)
		return err
	case "inclusion":
		return inclusion(asked)
	case "consistency":
		return consistency(asked)
	}
	return fmt.Errorf("unknown op %q", asked.Op)
}

// open verifies a checkpoint's signature and reads its three lines.
func open(text, key string) (checkpoint, error) {
	var found checkpoint
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return found, err
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return found, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return found, fmt.Errorf("not a checkpoint of %s", verifier.Name())
	}
	if found.size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return found, err
	}
	found.root, err = tlog.ParseHash(lines[2])
	return found, err
}

// hashes reads the lines of a proof, and returns them with the checkpoint behind the blank line.
func hashes(text string, labels ...string) (int64, []tlog.Hash, string, error) {
	head, signed, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if len(lines) < len(labels) {
		return 0, nil, "", errors.New("a proof without its first lines")
	}
	for place, label := range labels {
		if !strings.HasPrefix(lines[place], label) {
			return 0, nil, "", fmt.Errorf("line %d does not start with %q", place, label)
		}
	}
	last := len(labels) - 1
	number, err := strconv.ParseInt(strings.TrimPrefix(lines[last], labels[last]), 10, 64)
	if err != nil {
		return 0, nil, "", err
	}
	var path []tlog.Hash
	for _, line := range lines[len(labels):] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, nil, "", err
		}
		path = append(path, hash)
	}
	return number, path, signed, nil
}

func inclusion(asked request) error {
	index, path, signed, err := hashes(asked.Proof, "c2sp.org/tlog-proof@v1", "index ")
	if err != nil {
		return err
	}
	tree, err := open(signed, asked.Key)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(path, tree.size, tree.root, index, tlog.RecordHash([]byte(asked.Entry)))
}

func consistency(asked request) error {
	size, path, signed, err := hashes(asked.File, "old ")
	if err != nil {
		return err
	}
	older, err := open(asked.Old, asked.Key)
	if err != nil {
		return err
	}
	newer, err := open(signed, asked.Key)
	if err != nil {
		return err
	}
	if size != older.size {
		return fmt.Errorf("the file starts from size %d, the checkpoint has %d", size, older.size)
	}
	return tlog.CheckTree(path, newer.size, newer.root, older.size, older.root)
}
