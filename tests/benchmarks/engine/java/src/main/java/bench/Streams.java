package bench;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** Kafka Streams, one thread: a processor that gathers rows and writes them in JDBC batches. */
public final class Streams {
    private static final CountDownLatch DONE = new CountDownLatch(1);
    private static final AtomicLong LEFT = new AtomicLong(Long.parseLong(System.getenv("BENCH_RECORDS")));

    private Streams() {}

    /** One task's batch. */
    static final class Writer implements Processor<byte[], byte[], Void, Void> {
        private ProcessorContext<Void, Void> context;
        private Rows rows;

        @Override
        public void init(ProcessorContext<Void, Void> given) {
            context = given;
            try {
                rows = new Rows();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
            context.schedule(Duration.ofMillis(100), PunctuationType.WALL_CLOCK_TIME, now -> flush());
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            var place = context.recordMetadata().orElseThrow();
            rows.add(place.partition(), place.offset(), record.value());
            if (rows.size() >= 2000) {
                flush();
            }
        }

        private void flush() {
            try {
                int written = rows.write();
                if (written > 0) {
                    context.commit();
                    if (LEFT.addAndGet(-written) <= 0) {
                        DONE.countDown();
                    }
                }
            } catch (java.sql.SQLException error) {
                throw new IllegalStateException(error);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        Properties p = Rows.login();
        p.put("application.id", System.getenv("BENCH_GROUP"));
        p.put("state.dir", System.getenv("BENCH_DATADIR"));
        p.put("num.stream.threads", "1");
        p.put("consumer.max.poll.records", "2000");
        p.put("consumer.auto.offset.reset", "earliest");
        p.put("default.key.serde", Serdes.ByteArraySerde.class.getName());
        p.put("default.value.serde", Serdes.ByteArraySerde.class.getName());
        StreamsBuilder builder = new StreamsBuilder();
        builder.<byte[], byte[]>stream(System.getenv("BENCH_TOPIC")).process(Writer::new);
        try (KafkaStreams streams = new KafkaStreams(builder.build(), p)) {
            streams.setUncaughtExceptionHandler(error -> {
                error.printStackTrace();
                System.exit(1);
                return null;
            });
            streams.start();
            DONE.await();
        }
    }
}
