// Package member is task 3: one member of the group.
package member

import (
	"fmt"
	"time"

	"clients/sarama/lab"

	"github.com/IBM/sarama"
)

type member struct {
	name string
}

func (m member) Setup(session sarama.ConsumerGroupSession) error {
	fmt.Printf("%s: assigned partitions %v\n", m.name, session.Claims()["clickstream"])
	return nil
}

func (m member) Cleanup(session sarama.ConsumerGroupSession) error {
	fmt.Printf("%s: revoked partitions %v\n", m.name, session.Claims()["clickstream"])
	return nil
}

func (m member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	lab.Batches(session, claim, func(batch []*sarama.ConsumerMessage) {
		for _, message := range batch {
			fmt.Printf("%s: partition=%d offset=%d user=%s\n", m.name, message.Partition, message.Offset, message.Key)
		}
		session.MarkMessage(batch[len(batch)-1], "")
		session.Commit()
	})
	return nil
}

// Run reads messages as the member with this name until someone presses Ctrl-C.
func Run(name string) {
	lab.Consume("scale-group", "clickstream", 10*time.Second, member{name})
}
