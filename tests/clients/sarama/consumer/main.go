// Task 2: reads batches of 20 events, and commits each batch last.
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

const batchSize = 20

// batcher fills a batch from all partitions. They are read side by side, so it has a lock.
type batcher struct {
	sync.Mutex
	batch  []lab.Event
	totals map[string]int
}

func (b *batcher) Setup(sarama.ConsumerGroupSession) error {
	// After a rebalance, each partition goes on from its committed offset, so this batch comes again.
	b.batch = nil
	return nil
}

func (*batcher) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (b *batcher) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	lab.Each(session, claim, func(message *sarama.ConsumerMessage) {
		b.Lock()
		defer b.Unlock()
		b.add(session, message)
	})
	return nil
}

func (b *batcher) add(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) {
	var event lab.Event
	if err := json.Unmarshal(message.Value, &event); err != nil {
		log.Fatal(err)
	}
	b.batch = append(b.batch, event)
	// This only marks. The commit is below.
	session.MarkMessage(message, "")
	if len(b.batch) == batchSize {
		b.process()
		session.Commit()
		fmt.Printf("Committed batch of %d.\n", batchSize)
		b.batch = nil
	}
}

func (b *batcher) process() {
	counts := map[string]int{}
	for _, event := range b.batch {
		counts[event.EventType]++
		b.totals[event.EventType]++
		if event.EventType == "purchase" && event.Amount != nil {
			fmt.Printf("  Purchase: user=%s amount=$%.2f\n", event.UserID, *event.Amount)
		}
	}
	fmt.Println("Batch summary:", asJSON(counts))
	fmt.Println("Running totals:", asJSON(b.totals))
}

func asJSON(counts map[string]int) string {
	text, err := json.Marshal(counts)
	if err != nil {
		log.Fatal(err)
	}
	return string(text)
}

func main() {
	lab.Consume("analytics-service", "clickstream", 10*time.Second, &batcher{totals: map[string]int{}})
}
