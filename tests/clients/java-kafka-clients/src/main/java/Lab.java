import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What all programs share. */
final class Lab {
    private Lab() {}

    private static Properties servers() {
        String servers = System.getenv("BOOTSTRAP_SERVERS");
        var properties = new Properties();
        properties.put("bootstrap.servers", servers == null || servers.isEmpty() ? "127.0.0.1:9092" : servers);
        return properties;
    }

    static Properties producer() {
        Properties properties = servers();
        properties.put("acks", "all");
        properties.put("key.serializer", StringSerializer.class.getName());
        properties.put("value.serializer", StringSerializer.class.getName());
        return properties;
    }

    /** A consumer of the newer group protocol. The group decides on the session timeout, so no member asks for it. */
    static Properties consumer(String group) {
        Properties properties = servers();
        properties.put("group.protocol", "consumer");
        properties.put("group.id", group);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("key.deserializer", StringDeserializer.class.getName());
        properties.put("value.deserializer", StringDeserializer.class.getName());
        return properties;
    }

    /** On Ctrl-C and SIGTERM, `poll` throws a WakeupException. The JVM waits until the calling thread has ended. */
    static void wakeUpOnCtrlC(KafkaConsumer<?, ?> consumer) {
        Thread worker = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try {
                worker.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
    }
}
