-- name: ends
select seq from lane order by lane

-- name: changed
select h.stream_id, h.version, h.type
from unnest($1::int[], $2::bigint[]) as after (lane, seq)
join history h on h.lane = after.lane and h.lane_seq > after.seq
where h.kind = 'referral' and $4::text is not null
order by h.at, h.lane, h.lane_seq
limit $3

-- name: changed_own_hops
select h.stream_id, h.version, h.type
from unnest($1::int[], $2::bigint[]) as after (lane, seq)
join history h on h.lane = after.lane and h.lane_seq > after.seq
join hop on hop.referral_id = h.stream_id and hop.recipient = $4
    and hop.hop::text = convert_from(h.data, 'UTF8')::jsonb ->> 'hop'
where h.kind = 'referral'
order by h.at, h.lane, h.lane_seq
limit $3
