// Replaces variables as Flux's post-build substitution does, of which none has a value: reads a JSON array of objects as text and
// writes one of {text, error}.
package main

import (
	"encoding/json"
	"os"

	"github.com/fluxcd/pkg/envsubst"
)

type result struct {
	Text  string `json:"text"`
	Error string `json:"error"`
}

func main() {
	var texts []string
	if err := json.NewDecoder(os.Stdin).Decode(&texts); err != nil {
		panic(err)
	}
	results := []result{}
	for _, text := range texts {
		// kustomize-controller takes unknown variables for empty ones, unless it is strict.
		replaced, err := envsubst.Eval(text, func(string) (string, bool) { return "", true })
		one := result{Text: replaced}
		if err != nil {
			one.Error = err.Error()
		}
		results = append(results, one)
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		panic(err)
	}
}
