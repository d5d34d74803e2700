// Package member is task 3: one member of the group.
package member

import (
	"fmt"
	"log"

	"clients/confluent-kafka-go/lab"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func numbers(partitions []kafka.TopicPartition) []int32 {
	var numbers []int32
	for _, partition := range partitions {
		numbers = append(numbers, partition.Partition)
	}
	return numbers
}

// Run reads messages as the member with this name until someone presses Ctrl-C.
func Run(name string) {
	consumer := lab.Consumer("scale-group", "clickstream", "10000", func(_ *kafka.Consumer, event kafka.Event) error {
		switch event := event.(type) {
		case kafka.AssignedPartitions:
			fmt.Printf("%s: assigned partitions %v\n", name, numbers(event.Partitions))
		case kafka.RevokedPartitions:
			fmt.Printf("%s: revoked partitions %v\n", name, numbers(event.Partitions))
		}
		return nil
	})
	defer consumer.Close()

	ctx := lab.UntilStopped()
	for ctx.Err() == nil {
		message := lab.Next(consumer)
		if message == nil {
			continue
		}
		place := message.TopicPartition
		fmt.Printf("%s: partition=%d offset=%d user=%s\n", name, place.Partition, place.Offset, message.Key)
		if _, err := consumer.CommitMessage(message); err != nil {
			log.Print(err)
		}
	}
}
