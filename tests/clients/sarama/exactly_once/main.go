// Task 6: copies purchases in transactions.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"sync"
	"time"

	"clients/sarama/lab"

	"github.com/IBM/sarama"
)

const group = "purchase-extractor"

// extractor has one transaction at a time. The partitions are read side by side, so it has a lock.
type extractor struct {
	sync.Mutex
	producer sarama.SyncProducer
}

func (*extractor) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*extractor) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (e *extractor) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	lab.Batches(session, claim, func(batch []*sarama.ConsumerMessage) {
		e.Lock()
		defer e.Unlock()
		// If this fails, the program ends. The next one aborts the transaction and begins at the committed offsets.
		if err := e.copyPurchases(session, batch); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("Committed a batch of %d.\n", len(batch))
	})
	return nil
}

// copyPurchases copies the purchases of a batch and moves the committed offset past the batch.
func (e *extractor) copyPurchases(session sarama.ConsumerGroupSession, batch []*sarama.ConsumerMessage) error {
	if err := e.producer.BeginTxn(); err != nil {
		return err
	}
	var copies []*sarama.ProducerMessage
	for _, message := range batch {
		var event lab.Event
		if err := json.Unmarshal(message.Value, &event); err != nil {
			return err
		}
		if event.EventType == "purchase" && event.Amount != nil {
			copies = append(copies, &sarama.ProducerMessage{
				Topic: "purchases",
				Key:   sarama.ByteEncoder(message.Key),
				Value: sarama.ByteEncoder(message.Value),
			})
		}
	}
	if err := e.producer.SendMessages(copies); err != nil {
		return err
	}
	member := sarama.NewConsumerGroupMetadataFromSession(session, group, nil)
	if err := e.producer.AddMessageToTxnWithGroupMetadata(batch[len(batch)-1], member, nil); err != nil {
		return err
	}
	return e.producer.CommitTxn()
}

func main() {
	// This aborts what a killed instance left open. An older one that still runs can commit nothing more.
	producer := lab.Producer(func(config *sarama.Config) {
		config.Producer.Idempotent = true
		config.Producer.Transaction.ID = group
		config.Net.MaxOpenRequests = 1
	})
	defer producer.Close()
	// A killed member keeps its partitions for this long, and the broker allows no less than 6 s.
	lab.Consume(group, "clickstream", 6*time.Second, &extractor{producer: producer})
}
