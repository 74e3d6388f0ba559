-- name: first_seen
insert into progress (topic, partition, next_offset, topic_id, cluster_id)
select new.*, $5 from unnest($1::text[], $2::int[], $3::bigint[], $4::text[]) as new
on conflict (topic, partition) do nothing

-- name: rows
select p.topic, p.partition, p.next_offset, p.cluster_id, p.topic_id, p.stopped, p.held
from progress p join unnest($1::text[], $2::int[]) as want (topic, partition) using (topic, partition)

-- name: stop
update progress set stopped = $3, held = held or $4 where topic = $1 and partition = $2

-- name: goes_on
update progress p set stopped = null
from unnest($1::text[], $2::int[]) as want (topic, partition)
where p.topic = want.topic and p.partition = want.partition and p.stopped is not null and not p.held

-- name: released
select p.topic, p.partition
from progress p join unnest($1::text[], $2::int[]) as want (topic, partition) using (topic, partition)
where p.stopped is null
