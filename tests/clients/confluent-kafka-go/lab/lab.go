// Package lab has what all programs share.
package lab

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Event is an event of the clickstream.
type Event struct {
	EventID   int      `json:"event_id"`
	UserID    string   `json:"user_id"`
	EventType string   `json:"event_type"`
	Timestamp float64  `json:"timestamp"`
	Amount    *float64 `json:"amount"`
}

func servers() string {
	if servers := os.Getenv("BOOTSTRAP_SERVERS"); servers != "" {
		return servers
	}
	return "127.0.0.1:9092"
}

// Producer returns a producer with these settings.
func Producer(settings kafka.ConfigMap) *kafka.Producer {
	settings["bootstrap.servers"] = servers()
	producer, err := kafka.NewProducer(&settings)
	if err != nil {
		log.Fatal(err)
	}
	return producer
}

// Consumer returns a member of a group that reads a topic.
func Consumer(group, topic, sessionTimeout string, rebalanced kafka.RebalanceCb) *kafka.Consumer {
	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers":  servers(),
		"group.id":           group,
		"auto.offset.reset":  "earliest",
		"enable.auto.commit": false,
		"session.timeout.ms": sessionTimeout,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := consumer.Subscribe(topic, rebalanced); err != nil {
		log.Fatal(err)
	}
	return consumer
}

// Next returns the next message, or nil if none comes for a while.
func Next(consumer *kafka.Consumer) *kafka.Message {
	message, err := consumer.ReadMessage(500 * time.Millisecond)
	if err != nil {
		var kafkaError kafka.Error
		if !errors.As(err, &kafkaError) || !kafkaError.IsTimeout() {
			log.Print(err)
		}
		return nil
	}
	return message
}

// UntilStopped returns a context that ends on Ctrl-C and on SIGTERM.
func UntilStopped() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	return ctx
}
