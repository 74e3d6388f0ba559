-- name: list
select id, tenant, topic, partition, "offset", reason, detail, at, replayed_at from (
    select id, tenant, topic, partition, "offset", reason, detail, at, replayed_at from dead_letter
    union all
    select id, tenant, topic, partition, "offset", case when error is null then 'waits' else 'our-failure' end,
        coalesce(error, 'behind a record of the same ' || kind || ' that failed us'), at, released_at
    from parked) letter
order by at desc, id limit $1

-- name: show
select id, tenant, topic, partition, "offset", reason, detail, left(encode(key, 'escape'), 200) as key, at, replayed_at,
    kind, stream_id, value
from (
    select id, tenant, topic, partition, "offset", reason, detail, key, at, replayed_at, null as kind,
        null::uuid as stream_id, value
    from dead_letter
    union all
    select id, tenant, topic, partition, "offset", case when error is null then 'waits' else 'our-failure' end,
        coalesce(error, 'behind a record of the same ' || kind || ' that failed us'), key, at, released_at, kind, stream_id,
        value
    from parked) letter
where id = $1

-- name: waiting
select id from dead_letter where replayed_at is null order by topic, partition, "offset"

-- name: in_order
select id from dead_letter where id = any ($1::uuid[]) order by topic, partition, "offset"

-- name: take
update dead_letter set replayed_at = now() where id = $1 and replayed_at is null
returning id, topic, partition, key, value

-- name: hold_lanes
select from lane
where $1::uuid[] is null or lane in (select lane from parked where id = any ($1)) order by lane for update

-- name: release
with streams as (select distinct kind, stream_id from parked where $1::uuid[] is null or id = any ($1))
update parked p set released_at = now() from streams s
where (p.kind, p.stream_id) = (s.kind, s.stream_id) and p.released_at is null
returning p.id, p.position
