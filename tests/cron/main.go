// Reads a JSON list of schedules and writes, for each, what the parser of Kubernetes says: an error, or the first times. With the
// argument `gaps`, it also writes the longest time between two runs in five years, in hours.
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
	Gap   int      `json:"gap"`
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
	result := verdict{Times: times}
	if len(os.Args) > 1 && os.Args[1] == "gaps" {
		result.Gap = gap(schedule)
	}
	return result
}

// gap returns the longest time between the hours of two runs in the years 2024 to 2028, or 0 if there are less than two.
func gap(schedule cron.Schedule) int {
	longest := time.Duration(0)
	first := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	last := time.Time{}
	for next := schedule.Next(first.Add(-time.Second)); next.Year() < 2029 && !next.IsZero(); {
		hour := next.Truncate(time.Hour)
		if !last.IsZero() {
			longest = max(longest, hour.Sub(last))
		}
		last = hour
		next = schedule.Next(hour.Add(time.Hour - time.Second))
	}
	return int(longest / time.Hour)
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
