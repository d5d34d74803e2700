// Package lab has what all programs share.
package lab

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Event is an event of the clickstream.
type Event struct {
	EventID   int      `json:"event_id"`
	UserID    string   `json:"user_id"`
	EventType string   `json:"event_type"`
	Timestamp float64  `json:"timestamp"`
	Amount    *float64 `json:"amount"`
}

// Brokers returns the addresses at which Kafka is to be found.
func Brokers() []string {
	if servers := os.Getenv("BOOTSTRAP_SERVERS"); servers != "" {
		return strings.Split(servers, ",")
	}
	return []string{"127.0.0.1:9092"}
}

// UntilStopped returns a context that ends on Ctrl-C and on SIGTERM.
func UntilStopped() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	return ctx
}
