// Package lab has what all programs share.
package lab

import (
	"context"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

// Event is an event of the clickstream.
type Event struct {
	EventID   int      `json:"event_id"`
	UserID    string   `json:"user_id"`
	EventType string   `json:"event_type"`
	Timestamp float64  `json:"timestamp"`
	Amount    *float64 `json:"amount"`
}

func brokers() []string {
	if servers := os.Getenv("BOOTSTRAP_SERVERS"); servers != "" {
		return strings.Split(servers, ",")
	}
	return []string{"127.0.0.1:9092"}
}

// Producer returns a producer whose records are acknowledged by all in-sync replicas.
func Producer(configure func(*sarama.Config)) sarama.SyncProducer {
	config := sarama.NewConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	configure(config)
	producer, err := sarama.NewSyncProducer(brokers(), config)
	if err != nil {
		log.Fatal(err)
	}
	return producer
}

// AsyncProducer returns a producer that reports in its channels what became of each record.
func AsyncProducer() sarama.AsyncProducer {
	config := sarama.NewConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	producer, err := sarama.NewAsyncProducer(brokers(), config)
	if err != nil {
		log.Fatal(err)
	}
	return producer
}

// Consume lets the handler read a topic, as a member of the group, until someone presses Ctrl-C. The handler reads each
// partition in a goroutine of its own.
func Consume(name, topic string, sessionTimeout time.Duration, handler sarama.ConsumerGroupHandler) {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	config := sarama.NewConfig()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Session.Timeout = sessionTimeout
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	group, err := sarama.NewConsumerGroup(brokers(), name, config)
	if err != nil {
		log.Fatal(err)
	}
	defer group.Close()
	for ctx.Err() == nil {
		// This returns at each rebalance.
		if err := group.Consume(ctx, []string{topic}, handler); err != nil {
			log.Print(err)
		}
	}
}

// Each calls process for each message of a partition, until the session ends.
func Each(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim, process func(*sarama.ConsumerMessage)) {
	for {
		select {
		case <-session.Context().Done():
			return
		case message, ok := <-claim.Messages():
			if !ok {
				return
			}
			process(message)
		}
	}
}

// Batches calls process for the messages of a partition that are there, up to 20 at a time, until the session ends.
func Batches(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim, process func([]*sarama.ConsumerMessage)) {
	Each(session, claim, func(first *sarama.ConsumerMessage) {
		batch := []*sarama.ConsumerMessage{first}
		for len(batch) < 20 {
			select {
			case message, ok := <-claim.Messages():
				if ok {
					batch = append(batch, message)
					continue
				}
			default:
			}
			break
		}
		process(batch)
	})
}
