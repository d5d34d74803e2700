import java.time.Duration;
import java.util.List;
import org.apache.kafka.clients.consumer.KafkaConsumer;

/** Task 4: dies after fifteen messages, before it commits. */
public final class ConsumerCrash {
    public static void main(String[] args) throws Exception {
        var consumer = new KafkaConsumer<String, String>(Lab.consumer("crash-demo-group"));
        consumer.subscribe(List.of("clickstream"));
        int processed = 0;
        while (true) {
            for (var record : consumer.poll(Duration.ofMillis(500))) {
                Event event = Event.fromJson(record.value());
                System.out.printf("partition=%d offset=%d event_id=%d%n",
                        record.partition(), record.offset(), event.event_id());
                processed++;
                if (processed == 15) {
                    // As if the power had failed: nothing is closed, and no shutdown hook runs.
                    Runtime.getRuntime().halt(1);
                }
            }
        }
    }
}
