-- name: first_seen
insert into progress (topic, partition, next_offset, topic_id, cluster_id)
select new.*, $5 from unnest($1::text[], $2::int[], $3::bigint[], $4::text[]) as new
on conflict (topic, partition) do nothing

-- name: rows
select p.topic, p.partition, p.next_offset, p.cluster_id, p.topic_id
from progress p join unnest($1::text[], $2::int[]) as want (topic, partition) using (topic, partition)
