package bench;

import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** A plain consumer: poll, decode, one transaction a poll. */
public final class JdbcBatch {
    private JdbcBatch() {}

    public static void main(String[] arguments) throws Exception {
        Properties p = Rows.login();
        p.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("max.poll.records", "2000");
        p.put("enable.auto.commit", "false");
        String topic = System.getenv("BENCH_TOPIC");
        long left = Long.parseLong(System.getenv("BENCH_RECORDS"));
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(p); Rows rows = new Rows()) {
            List<TopicPartition> places = IntStream.range(0, 4).mapToObj(n -> new TopicPartition(topic, n)).toList();
            consumer.assign(places);
            consumer.seekToBeginning(places);
            while (left > 0) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200))) {
                    rows.add(r.partition(), r.offset(), r.value());
                }
                left -= rows.write();
            }
        }
    }
}
