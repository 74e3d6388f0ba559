-- name: ends
select seq from lane order by lane

-- name: about
select id, state, consents_of(person_key) as consents from referral where id = any ($1::uuid[])

-- name: changed_sent
select h.stream_id, h.version, h.type
from unnest($1::int[], $2::bigint[]) as after (lane, seq)
join history h on h.lane = after.lane and h.lane_seq > after.seq
where h.kind = 'referral'
    and h.sender = $4 -- seen by: sender
order by h.at, h.lane, h.lane_seq
limit $3

-- What a plan sent, and what was recorded while it paid.
-- name: changed_covered
select h.stream_id, h.version, h.type
from unnest($1::int[], $2::bigint[]) as after (lane, seq)
join history h on h.lane = after.lane and h.lane_seq > after.seq
where h.kind = 'referral' and (
        h.sender = $4 -- seen by: sender
        or h.payer = $4 -- seen by: payer
    )
order by h.at, h.lane, h.lane_seq
limit $3

-- name: changed_reviewed
select h.stream_id, h.version, h.type
from unnest($1::int[], $2::bigint[]) as after (lane, seq)
join history h on h.lane = after.lane and h.lane_seq > after.seq
join referral r on r.id = h.stream_id
where h.kind = 'referral'
    and (r.hub = $4 and r.reviewed) -- seen by: hub
order by h.at, h.lane, h.lane_seq
limit $3

-- name: changed_all
select h.stream_id, h.version, h.type
from unnest($1::int[], $2::bigint[]) as after (lane, seq)
join history h on h.lane = after.lane and h.lane_seq > after.seq
where h.kind = 'referral'
    and $4::text is not null -- seen by: any operator
order by h.at, h.lane, h.lane_seq
limit $3

-- name: changed_received
select h.stream_id, h.version, h.type
from unnest($1::int[], $2::bigint[]) as after (lane, seq)
join history h on h.lane = after.lane and h.lane_seq > after.seq
join hop on hop.referral_id = h.stream_id
    and hop.recipient = $4 -- seen by: asked
    and hop.hop::text = convert_from(h.data, 'UTF8')::jsonb ->> 'hop'
where h.kind = 'referral'
order by h.at, h.lane, h.lane_seq
limit $3
