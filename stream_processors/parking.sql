-- What waits because we failed. Everything here runs under the lane's lock.

-- name: waiting
select distinct on (p.kind, p.stream_id) p.kind, p.stream_id, p.released_at
from unnest($1::text[], $2::uuid[]) as want (kind, stream_id)
join parked p using (kind, stream_id)
order by p.kind, p.stream_id, p.position

-- name: park
insert into parked (id, lane, kind, stream_id, tenant, event_id, topic, partition, "offset", key, value, at, error,
    released_at)
select * from unnest($1::uuid[], $2::int[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::int[],
    $9::bigint[], $10::bytea[], $11::bytea[], $12::timestamptz[], $13::text[], $14::timestamptz[])

-- name: count_lanes
update lane l set parked = l.parked + new.n from unnest($1::int[], $2::int[]) as new (lane, n) where l.lane = new.lane

-- name: any_released
select exists (select from parked where released_at is not null)

-- name: released
select id, lane, kind, topic, partition, "offset", key, value, at, released_at
from parked where released_at is not null order by position limit $1

-- name: still_released
select id from parked where id = any ($1::uuid[]) and released_at is not null order by position

-- name: applied
delete from parked where id = any ($1::uuid[])

-- name: hold_back
update parked p set released_at = null, error = case when p.id = $1 then $2 else p.error end
from parked failed
where failed.id = $1 and (p.kind, p.stream_id) = (failed.kind, failed.stream_id)
