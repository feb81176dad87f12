// Reads cases as JSON and says of each whether Go's own sumdb/note and sumdb/tlog accept it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type testCase struct {
	Kind  string
	Note  string
	Vkeys []string
	Size1 int64
	Size2 int64
	Root1 tlog.Hash
	Root2 tlog.Hash
	Index int64
	Leaf  tlog.Hash
	Proof []tlog.Hash
	Tiles map[string][]byte
}

type tileSource map[string][]byte

func (s tileSource) Height() int                                { return 8 }
func (s tileSource) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (s tileSource) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		// Go writes the height into the path, C2SP does not.
		data, ok := s["tile/"+strings.TrimPrefix(tile.Path(), "tile/8/")]
		if !ok {
			return nil, fmt.Errorf("no tile %s", tile.Path())
		}
		found[i] = data
	}
	return found, nil
}

func checkNote(one testCase) error {
	verifiers := make([]note.Verifier, len(one.Vkeys))
	for i, vkey := range one.Vkeys {
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return err
		}
		verifiers[i] = verifier
	}
	opened, err := note.Open([]byte(one.Note), note.VerifierList(verifiers...))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != len(one.Vkeys) {
		return errors.New("not signed by all")
	}
	lines := strings.Split(opened.Text, "\n")
	if lines[1] != fmt.Sprint(one.Size2) || lines[2] != one.Root2.String() {
		return errors.New("another size or root")
	}
	return nil
}

func checkTiles(one testCase) error {
	tree := tlog.Tree{N: one.Size2, Hash: one.Root2}
	reader := tlog.TileHashReader(tree, tileSource(one.Tiles))
	proof, err := tlog.ProveRecord(one.Size2, one.Index, reader)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, one.Size2, one.Root2, one.Index, one.Leaf)
}

func check(one testCase) error {
	switch one.Kind {
	case "note":
		return checkNote(one)
	case "inclusion":
		return tlog.CheckRecord(one.Proof, one.Size2, one.Root2, one.Index, one.Leaf)
	case "consistency":
		return tlog.CheckTree(one.Proof, one.Size2, one.Root2, one.Size1, one.Root1)
	case "tiles":
		return checkTiles(one)
	}
	return errors.New("unknown kind")
}

func main() {
	var cases []testCase
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	answers := make([]string, len(cases))
	for i, one := range cases {
		if err := check(one); err != nil {
			answers[i] = err.Error()
		}
	}
	json.NewEncoder(os.Stdout).Encode(answers)
}
