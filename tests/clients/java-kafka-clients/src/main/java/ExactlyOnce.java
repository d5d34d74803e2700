import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/** Task 6: copies purchases in transactions. */
public final class ExactlyOnce {
    private static final String GROUP = "purchase-extractor";

    /** Copies the purchases of a batch and moves the committed offsets past the batch. */
    private static void copy(
            ConsumerRecords<String, String> batch,
            KafkaConsumer<String, String> consumer,
            KafkaProducer<String, String> producer)
            throws Exception {
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> after = new HashMap<>();
        for (var record : batch) {
            if (Event.fromJson(record.value()).isPurchaseWithAmount()) {
                producer.send(new ProducerRecord<>("purchases", record.key(), record.value()));
            }
            var partition = new TopicPartition(record.topic(), record.partition());
            after.put(partition, new OffsetAndMetadata(record.offset() + 1));
        }
        producer.sendOffsetsToTransaction(after, consumer.groupMetadata());
        producer.commitTransaction();
    }

    public static void main(String[] args) throws Exception {
        Properties producerProperties = Lab.producer();
        producerProperties.put("transactional.id", GROUP);
        Properties consumerProperties = Lab.consumer(GROUP);
        consumerProperties.put("isolation.level", "read_committed");
        try (var producer = new KafkaProducer<String, String>(producerProperties);
                var consumer = new KafkaConsumer<String, String>(consumerProperties)) {
            // This aborts what a killed instance left open. An older one that still runs can commit nothing more.
            producer.initTransactions();
            Lab.wakeUpOnCtrlC(consumer);
            consumer.subscribe(List.of("clickstream"));
            while (true) {
                var batch = consumer.poll(Duration.ofMillis(500));
                if (!batch.isEmpty()) {
                    // If this fails, the program ends. The next one aborts the transaction and begins at the
                    // committed offsets.
                    copy(batch, consumer, producer);
                    System.out.println("Committed a batch of " + batch.count() + ".");
                }
            }
        } catch (WakeupException e) {
            // Someone pressed Ctrl-C.
        }
    }
}
