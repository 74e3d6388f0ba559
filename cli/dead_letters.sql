-- name: list
select id, tenant, topic, partition, "offset", reason, detail, at, replayed_at
from dead_letter order by at desc, id limit $1

-- name: show
select id, tenant, topic, partition, "offset", reason, detail, left(encode(key, 'escape'), 200) as key, at, replayed_at, value
from dead_letter where id = $1

-- name: waiting
select id from dead_letter where replayed_at is null order by topic, partition, "offset"

-- name: in_order
select id from dead_letter where id = any ($1::uuid[]) order by topic, partition, "offset"

-- name: take
update dead_letter set replayed_at = now() where id = $1 and replayed_at is null
returning id, topic, partition, key, value
