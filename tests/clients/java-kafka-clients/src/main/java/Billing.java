import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Task 5: charges each payment once. */
public final class Billing {
    private static final String TABLE =
            "CREATE TABLE IF NOT EXISTS charges (event_id TEXT PRIMARY KEY, user_id TEXT, amount REAL)";
    private static final String CHARGE =
            "INSERT INTO charges (event_id, user_id, amount) VALUES (?, ?, ?) ON CONFLICT (event_id) DO NOTHING";
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private record Payment(String eventId, String userId, double amount) {}

    /** The payment in a message, or null if the message is not a payment. */
    private static Payment paymentIn(byte[] value) {
        if (value == null) {
            return null;
        }
        JsonNode json;
        try {
            json = MAPPER.readTree(value);
        } catch (IOException e) {
            return null;
        }
        JsonNode eventId = json.path("event_id");
        JsonNode userId = json.path("user_id");
        JsonNode amount = json.path("amount");
        if (!eventId.isTextual() || eventId.asText().isEmpty() || !userId.isTextual() || !amount.isNumber()) {
            return null;
        }
        double number = amount.asDouble();
        boolean isValid = Double.isFinite(number) && number > 0;
        return isValid ? new Payment(eventId.asText(), userId.asText(), number) : null;
    }

    /** Charges the payments of a batch, all of them or none. Messages that are not payments become dead letters. */
    private static void process(
            ConsumerRecords<byte[], byte[]> batch, Connection database, KafkaProducer<byte[], byte[]> deadLetters)
            throws Exception {
        try (var charge = database.prepareStatement(CHARGE)) {
            for (var record : batch) {
                Payment payment = paymentIn(record.value());
                if (payment == null) {
                    deadLetters.send(new ProducerRecord<>("payments.dlq", record.key(), record.value())).get();
                    continue;
                }
                charge.setString(1, payment.eventId());
                charge.setString(2, payment.userId());
                charge.setDouble(3, payment.amount());
                charge.executeUpdate();
            }
        }
        database.commit();
    }

    private static Connection openDatabase() throws SQLException {
        String file = System.getenv("BILLING_DB");
        Connection database = DriverManager.getConnection(
                "jdbc:sqlite:" + (file == null || file.isEmpty() ? "billing.db" : file));
        try (var statement = database.createStatement()) {
            statement.execute(TABLE);
        }
        database.setAutoCommit(false);
        return database;
    }

    public static void main(String[] args) throws Exception {
        Properties consumerProperties = Lab.consumer("billing-service");
        consumerProperties.put("key.deserializer", ByteArrayDeserializer.class.getName());
        consumerProperties.put("value.deserializer", ByteArrayDeserializer.class.getName());
        Properties producerProperties = Lab.producer();
        producerProperties.put("key.serializer", ByteArraySerializer.class.getName());
        producerProperties.put("value.serializer", ByteArraySerializer.class.getName());
        try (var database = openDatabase();
                var deadLetters = new KafkaProducer<byte[], byte[]>(producerProperties);
                var consumer = new KafkaConsumer<byte[], byte[]>(consumerProperties)) {
            Lab.wakeUpOnCtrlC(consumer);
            consumer.subscribe(List.of("payments"));
            while (true) {
                var batch = consumer.poll(Duration.ofMillis(500));
                if (!batch.isEmpty()) {
                    process(batch, database, deadLetters);
                    // Last: the committed offsets are never ahead of the database.
                    consumer.commitSync();
                    System.out.println("Committed batch of " + batch.count() + ".");
                }
            }
        } catch (WakeupException e) {
            // Someone pressed Ctrl-C.
        }
    }
}
