// Task 4: dies after fifteen messages, before it commits.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"clients/sarama/lab"

	"github.com/IBM/sarama"
)

// crasher counts the messages of all partitions. They are read side by side, so it has a lock.
type crasher struct {
	sync.Mutex
	processed int
}

func (*crasher) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*crasher) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c *crasher) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	lab.Each(session, claim, func(message *sarama.ConsumerMessage) {
		c.Lock()
		defer c.Unlock()
		var event lab.Event
		if err := json.Unmarshal(message.Value, &event); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("partition=%d offset=%d event_id=%d\n", message.Partition, message.Offset, event.EventID)
		c.processed++
		if c.processed == 15 {
			// As if the power had failed: nothing is closed, and nobody is told.
			os.Exit(1)
		}
	})
	return nil
}

func main() {
	lab.Consume("crash-demo-group", "clickstream", 10*time.Second, &crasher{})
}
