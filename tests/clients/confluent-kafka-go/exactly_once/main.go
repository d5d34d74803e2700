// Task 6: copies purchases in transactions.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"clients/confluent-kafka-go/lab"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

const (
	group     = "purchase-extractor"
	batchSize = 20
)

func main() {
	ctx := lab.UntilStopped()
	producer := lab.Producer(kafka.ConfigMap{"transactional.id": group})
	defer producer.Close()
	go func() {
		// A commit fails if a record failed, so the reports say nothing new. But somebody must read them.
		for range producer.Events() {
		}
	}()
	// This aborts what a killed instance left open. An older one that still runs can commit nothing more.
	if err := producer.InitTransactions(ctx); err != nil {
		log.Fatal(err)
	}

	var batch []*kafka.Message
	// A killed member keeps its partitions for this long, and the broker allows no less than 6 s.
	consumer := lab.Consumer(group, "clickstream", "6000", func(*kafka.Consumer, kafka.Event) error {
		// After a rebalance, each partition goes on from its committed offset, so this batch comes again.
		batch = nil
		return nil
	})
	defer consumer.Close()
	for ctx.Err() == nil {
		message := lab.Next(consumer)
		if message != nil {
			batch = append(batch, message)
		}
		if len(batch) == batchSize || (message == nil && len(batch) > 0) {
			// If this fails, the program ends. The next one aborts the transaction and begins at the committed offsets.
			if err := copyPurchases(producer, consumer, batch); err != nil {
				log.Fatal(err)
			}
			fmt.Printf("Committed a batch of %d.\n", len(batch))
			batch = nil
		}
	}
}

// copyPurchases copies the purchases of a batch and moves the committed offsets past the batch.
func copyPurchases(producer *kafka.Producer, consumer *kafka.Consumer, batch []*kafka.Message) error {
	if err := producer.BeginTransaction(); err != nil {
		return err
	}
	purchases := "purchases"
	for _, message := range batch {
		var event lab.Event
		if err := json.Unmarshal(message.Value, &event); err != nil {
			return err
		}
		if event.EventType != "purchase" || event.Amount == nil {
			continue
		}
		err := producer.Produce(&kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &purchases, Partition: kafka.PartitionAny},
			Key:            message.Key,
			Value:          message.Value,
		}, nil)
		if err != nil {
			return err
		}
	}
	metadata, err := consumer.GetConsumerGroupMetadata()
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := producer.SendOffsetsToTransaction(ctx, after(batch), metadata); err != nil {
		return err
	}
	return producer.CommitTransaction(ctx)
}

// after returns the offset after the last message of each partition.
func after(batch []*kafka.Message) []kafka.TopicPartition {
	next := map[int32]kafka.TopicPartition{}
	for _, message := range batch {
		place := message.TopicPartition
		place.Offset++
		next[place.Partition] = place
	}
	var offsets []kafka.TopicPartition
	for _, place := range next {
		offsets = append(offsets, place)
	}
	return offsets
}
