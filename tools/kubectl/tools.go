//go:build tools

// Package tools keeps kubectl in go.mod, and go.sum, of this module; tools/install.sh builds it.
package tools

import _ "k8s.io/kubernetes/cmd/kubectl"
