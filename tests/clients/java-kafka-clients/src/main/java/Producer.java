import java.util.Random;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Task 1: publishes 100 events. */
public final class Producer {
    private static final String[] EVENT_TYPES = {"page_view", "add_to_cart", "purchase", "search"};
    private static final Random RANDOM = new Random();

    private static Event randomEvent(int id) {
        return new Event(
                id,
                "user_" + RANDOM.nextInt(1, 21),
                EVENT_TYPES[RANDOM.nextInt(EVENT_TYPES.length)],
                System.currentTimeMillis() / 1000.0,
                RANDOM.nextDouble() < 0.3 ? RANDOM.nextInt(1_000, 50_001) / 100.0 : null);
    }

    public static void main(String[] args) throws Exception {
        try (var producer = new KafkaProducer<String, String>(Lab.producer())) {
            for (int id = 0; id < 100; id++) {
                Event event = randomEvent(id);
                var record = new ProducerRecord<>("clickstream", event.user_id(), event.toJson());
                producer.send(record, (metadata, error) -> {
                    if (error != null) {
                        System.out.println("Delivery FAILED: " + error.getMessage());
                    } else {
                        System.out.printf("Delivered → topic=%s partition=%d offset=%d%n",
                                metadata.topic(), metadata.partition(), metadata.offset());
                    }
                });
            }
            producer.flush();
        }
        System.out.println("Done. Published 100 events.");
    }
}
