import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/** Task 2: reads batches of 20 events, and commits each batch last. */
public final class Consumer {
    private static final int BATCH_SIZE = 20;
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private static void process(List<ConsumerRecord<String, String>> batch, Map<String, Integer> totals)
            throws Exception {
        var counts = new TreeMap<String, Integer>();
        for (var record : batch) {
            Event event = Event.fromJson(record.value());
            counts.merge(event.event_type(), 1, Integer::sum);
            totals.merge(event.event_type(), 1, Integer::sum);
            if (event.isPurchaseWithAmount()) {
                System.out.printf("  Purchase: user=%s amount=$%.2f%n", event.user_id(), event.amount());
            }
        }
        System.out.println("Batch summary: " + MAPPER.writeValueAsString(counts));
        System.out.println("Running totals: " + MAPPER.writeValueAsString(totals));
    }

    /** The offset after the last message of each partition. */
    private static Map<TopicPartition, OffsetAndMetadata> after(List<ConsumerRecord<String, String>> batch) {
        var after = new HashMap<TopicPartition, OffsetAndMetadata>();
        for (var record : batch) {
            var partition = new TopicPartition(record.topic(), record.partition());
            after.put(partition, new OffsetAndMetadata(record.offset() + 1));
        }
        return after;
    }

    public static void main(String[] args) throws Exception {
        var batch = new ArrayList<ConsumerRecord<String, String>>();
        var totals = new TreeMap<String, Integer>();
        try (var consumer = new KafkaConsumer<String, String>(Lab.consumer("analytics-service"))) {
            Lab.wakeUpOnCtrlC(consumer);
            consumer.subscribe(List.of("clickstream"), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    // Each of them goes on from its committed offset, wherever it goes, so its messages come again.
                    batch.removeIf(record ->
                            partitions.contains(new TopicPartition(record.topic(), record.partition())));
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
            });
            while (true) {
                for (var record : consumer.poll(Duration.ofMillis(500))) {
                    batch.add(record);
                    if (batch.size() == BATCH_SIZE) {
                        process(batch, totals);
                        consumer.commitSync(after(batch));
                        System.out.println("Committed batch of " + BATCH_SIZE + ".");
                        batch.clear();
                    }
                }
            }
        } catch (WakeupException e) {
            // Someone pressed Ctrl-C. What is in the batch is not committed, so it comes again.
        }
    }
}
