// Writes connection strings as PGO does, with Go's own net/url: reads a JSON array of
// {user, password, host, port, dbname} and writes one of {uri, jdbc}.
package main

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
)

type target struct{ User, Password, Host, Port, Dbname string }

type strings struct {
	URI  string `json:"uri"`
	JDBC string `json:"jdbc"`
}

func main() {
	var targets []target
	if err := json.NewDecoder(os.Stdin).Decode(&targets); err != nil {
		panic(err)
	}
	out := []strings{}
	for _, t := range targets {
		query := url.Values{}
		query.Set("user", t.User)
		query.Set("password", t.Password)
		query.Set("prepareThreshold", "0")
		host := net.JoinHostPort(t.Host, t.Port)
		out = append(out, strings{
			URI: (&url.URL{Scheme: "postgresql", User: url.UserPassword(t.User, t.Password),
				Host: host, Path: "/" + t.Dbname}).String(),
			JDBC: (&url.URL{Scheme: "jdbc:postgresql", Host: host, Path: "/" + t.Dbname,
				RawQuery: query.Encode()}).String(),
		})
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}
