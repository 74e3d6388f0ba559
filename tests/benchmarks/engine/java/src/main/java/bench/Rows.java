package bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;

/** A batch of the common workload on its way to Postgres: decode, gather, write in one transaction. */
final class Rows implements AutoCloseable {
    static final byte[] FRAME = {0, 0, 0, 0, 0x63};
    private final String topic = System.getenv("BENCH_TOPIC");
    private final Map<String, String> sql = queries();
    private final GenericDatumReader<GenericRecord> reader;
    private final Connection connection;
    private final Map<String, Object[]> events = new LinkedHashMap<>();
    private final Map<Long, Object[]> dead = new LinkedHashMap<>();
    private final TreeMap<Integer, Long> after = new TreeMap<>();
    private BinaryDecoder decoder;
    private int count;

    Rows() throws Exception {
        reader = new GenericDatumReader<>(new Schema.Parser().parse(System.getenv("BENCH_SCHEMA")));
        connection = DriverManager.getConnection(System.getenv("BENCH_JDBC"), System.getenv("BENCH_PGUSER"),
                System.getenv("BENCH_PGPASSWORD"));
        try (PreparedStatement first = connection.prepareStatement(sql.get("first_progress"))) {
            for (int n = 0; n < 4; n++) {
                first.setString(1, topic);
                first.setInt(2, n);
                first.executeUpdate();
            }
        }
        connection.setAutoCommit(false);
    }

    /** What every Kafka client of this run needs to log in. */
    static Properties login() {
        Properties p = new Properties();
        p.put("bootstrap.servers", System.getenv("BENCH_BOOTSTRAP"));
        p.put("security.protocol", "SASL_PLAINTEXT");
        p.put("sasl.mechanism", "SCRAM-SHA-256");
        p.put("sasl.jaas.config", String.format(
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";",
                System.getenv("BENCH_USERNAME"), System.getenv("BENCH_PASSWORD")));
        return p;
    }

    void add(int partition, long offset, byte[] value) {
        count++;
        after.put(partition, offset + 1);
        boolean framed = value.length > 5;
        for (int n = 0; framed && n < 5; n++) {
            framed = value[n] == FRAME[n];
        }
        if (!framed) {
            dead.put(((long) partition << 48) + offset, new Object[] {topic, partition, offset, value});
            return;
        }
        try {
            decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, decoder);
            GenericRecord e = reader.read(null, decoder);
            ByteBuffer payload = (ByteBuffer) e.get("payload");
            byte[] bytes = new byte[payload.remaining()];
            payload.get(bytes);
            String id = e.get("event_id").toString();
            events.put(id, new Object[] {UUID.fromString(id), UUID.fromString(e.get("referral_id").toString()),
                    e.get("seq"), e.get("type").toString(), e.get("status").toString(),
                    e.get("organization").toString(), e.get("contract").toString(),
                    new java.sql.Timestamp((Long) e.get("at")), bytes});
        } catch (java.io.IOException | RuntimeException bad) {
            dead.put(((long) partition << 48) + offset, new Object[] {topic, partition, offset, value});
        }
    }

    int size() {
        return count;
    }

    /** Everything gathered, in one transaction; returns how many records that were. */
    int write() throws SQLException {
        if (count == 0) {
            return 0;
        }
        arrays("step", new String[] {"uuid", "uuid", "int4", "text", "text", "text", "text", "timestamptz", "bytea"},
                events.values().toArray(new Object[0][]));
        if (!dead.isEmpty()) {
            arrays("insert_dead", new String[] {"text", "int4", "int8", "bytea"}, dead.values().toArray(new Object[0][]));
        }
        try (PreparedStatement move = connection.prepareStatement(sql.get("save_progress"))) {
            move.setString(1, topic);
            move.setArray(2, connection.createArrayOf("int4", after.keySet().toArray()));
            move.setArray(3, connection.createArrayOf("int8", after.values().toArray()));
            move.executeUpdate();
        }
        connection.commit();
        int written = count;
        events.clear();
        dead.clear();
        after.clear();
        count = 0;
        return written;
    }

    private void arrays(String query, String[] types, Object[][] rows) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql.get(query))) {
            for (int column = 0; column < types.length; column++) {
                Object[] values = types[column].equals("bytea") ? new byte[rows.length][] : new Object[rows.length];
                for (int n = 0; n < rows.length; n++) {
                    values[n] = rows[n][column];
                }
                statement.setArray(column + 1, connection.createArrayOf(types[column], values));
            }
            statement.executeUpdate();
        }
    }

    /** The same statements as every other contestant's, with JDBC's placeholders in order of appearance. */
    private static Map<String, String> queries() {
        try {
            Map<String, String> found = new LinkedHashMap<>();
            String text = Files.readString(Path.of(System.getenv("BENCH_SQL")), StandardCharsets.UTF_8);
            String[] parts = text.split("(?m)^-- name: ");
            for (int n = 1; n < parts.length; n++) {
                int end = parts[n].indexOf('\n');
                String body = parts[n].substring(end + 1);
                if (parts[n].startsWith("save_progress")) {
                    body = body.replace("p.topic = $1 and ", "");
                    body = "with who as (select $1::text as topic) " + body.replace("from unnest", "from who, unnest")
                            .replace("where p.partition", "where p.topic = who.topic and p.partition");
                }
                found.put(parts[n].substring(0, end).trim(), body.replaceAll("\\$\\d+", "?").strip());
            }
            return found;
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
