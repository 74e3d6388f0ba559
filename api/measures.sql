-- What the log knew at $5 of the referrals of contract $2 (payer $1) received from $3 until before $4; $6 = types of facts.
-- At most $7.
-- name: rows
with received as (
    select lane, stream_id, at as received_at from history
    where kind = 'referral' and type = 'referral-received' and at >= $3 and at < $4 and at <= $5
        and ($1::text is null or payer = $1) -- seen by: payer
), content as (
    select distinct on (r.stream_id) r.stream_id, r.lane, r.received_at, convert_from(h.data, 'UTF8')::jsonb as body
    from received r
    join history h on h.lane = r.lane and h.kind = 'referral' and h.stream_id = r.stream_id
        and h.type in ('referral-received', 'referral-amended') and h.at <= $5
    order by r.stream_id, h.version desc
), marks as (
    select c.stream_id, array_agg(h.type order by h.version) as types, array_agg(h.at order by h.version) as ats,
        array_agg(case when h.type in ('outcome-corrected', 'referral-closed')
            then convert_from(h.data, 'UTF8')::jsonb ->> 'status' end order by h.version) as statuses,
        array_agg(h.type in ('hop-completed', 'hop-failed', 'outcome-corrected')
            and convert_from(h.data, 'UTF8')::jsonb @> '{"withheld": true}' order by h.version) as withhelds
    from content c
    join history h on h.lane = c.lane and h.kind = 'referral' and h.stream_id = c.stream_id and h.at <= $5
        and h.type = any ($6::text[])
    group by c.stream_id
)
select c.stream_id as referral, c.body ->> 'domain' as domain, c.received_at, m.types, m.ats, m.statuses, m.withhelds
from content c
left join marks m using (stream_id)
where c.body ->> 'contract' = $2
limit $7

-- name: labels
select id, domain, array(select jsonb_array_elements_text(state -> 'sensitivity')) as sensitivity
from referral
where id = any ($1::uuid[])
    and (
        payer = $2 -- seen by: payer
        or payers_before @> jsonb_build_array(jsonb_build_object('payer', $2::text)) -- seen by: payer-before
    )
