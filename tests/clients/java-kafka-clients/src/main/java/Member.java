import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/** Task 3: one member of the group. Its name is the argument. */
public final class Member {
    private static void print(String name, String what, Collection<TopicPartition> partitions) {
        List<Integer> numbers = partitions.stream().map(TopicPartition::partition).sorted().toList();
        System.out.println(name + ": " + what + " partitions " + numbers);
    }

    public static void main(String[] args) throws Exception {
        String name = args[0];
        try (var consumer = new KafkaConsumer<String, String>(Lab.consumer("scale-group"))) {
            Lab.wakeUpOnCtrlC(consumer);
            consumer.subscribe(List.of("clickstream"), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    print(name, "revoked", partitions);
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    print(name, "assigned", partitions);
                }
            });
            while (true) {
                for (var record : consumer.poll(Duration.ofMillis(500))) {
                    System.out.printf("%s: partition=%d offset=%d user=%s%n",
                            name, record.partition(), record.offset(), record.key());
                    var partition = new TopicPartition(record.topic(), record.partition());
                    consumer.commitSync(Map.of(partition, new OffsetAndMetadata(record.offset() + 1)));
                }
            }
        } catch (WakeupException e) {
            // Someone pressed Ctrl-C.
        }
    }
}
