import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;

/** An event of the clickstream. */
record Event(int event_id, String user_id, String event_type, double timestamp, Double amount) {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    static Event fromJson(String text) throws JsonProcessingException {
        return MAPPER.readValue(text, Event.class);
    }

    String toJson() throws JsonProcessingException {
        return MAPPER.writeValueAsString(this);
    }

    boolean isPurchaseWithAmount() {
        return event_type.equals("purchase") && amount != null;
    }
}
