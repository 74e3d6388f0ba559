-- name: try_lock
select pg_try_advisory_lock(7236502, $1::int)

-- name: positions
select lane, next_seq from relay_position where lane = any ($1::int[])

-- Of each lane at most 200 facts, and no further one once they hold $3 bytes.
-- name: pending
select h.*
from unnest($1::int[], $2::bigint[]) as p (lane, next_seq)
cross join lateral (
    select lane, lane_seq, kind, stream_id, version, type, event_id, occurred_at, at, actor_organization, actor_user,
        on_behalf_of, channel, tenant, sender, recipients, payer, status, data, sealed,
        sum(octet_length(data) + octet_length(sealed)) over (order by lane_seq) - octet_length(data)
            - octet_length(sealed) as before
    from history h
    where h.lane = p.lane and h.lane_seq >= p.next_seq
    order by h.lane_seq
    limit 200
) h
where h.before < $3::bigint
order by h.lane, h.lane_seq

-- name: dead_letter
select * from dead_letter where id = $1

-- name: labels
select id, domain, array(select jsonb_array_elements_text(state -> 'sensitivity')) as sensitivity
from referral where id = any ($1::uuid[])

-- name: feedback_readers
select id from organization where kafka_username is not null

-- name: move
update relay_position r set next_seq = new.next_seq
from unnest($1::int[], $2::bigint[]) as new (lane, next_seq) where r.lane = new.lane

-- name: ends
select topic, partition, end_offset from relay_end where relay_group = $1

-- name: save_ends
insert into relay_end (relay_group, topic, partition, end_offset)
select $1::int, * from unnest($2::text[], $3::int[], $4::bigint[])
on conflict (relay_group, topic, partition) do update set end_offset = excluded.end_offset
