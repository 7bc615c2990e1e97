// Reads a JSON list of schedules and writes, for each, what the parser of Kubernetes says: an error, or the first times.
package main

import (
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

type verdict struct {
	Error string   `json:"error"`
	Times []string `json:"times"`
}

func judge(text string) verdict {
	schedule, err := cron.ParseStandard(text)
	if err != nil {
		return verdict{Error: err.Error()}
	}
	times := []string{}
	next := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 20 {
		// The zero time means that none was found within five years.
		if next = schedule.Next(next); next.IsZero() {
			break
		}
		times = append(times, next.Format(time.RFC3339))
	}
	return verdict{Times: times}
}

func main() {
	var schedules []string
	if err := json.NewDecoder(os.Stdin).Decode(&schedules); err != nil {
		log.Fatal(err)
	}
	verdicts := []verdict{}
	for _, schedule := range schedules {
		verdicts = append(verdicts, judge(schedule))
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		log.Fatal(err)
	}
}
