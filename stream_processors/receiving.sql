-- Where persons are helped with a need, or were.

-- name: load_helps
select r.person_key, r.domain, h.referral_id, h.recipient,
    case when h.status = 'completed' then h.answered_at end as until
from unnest($1::uuid[], $2::text[]) as want (person_key, domain)
join referral r using (person_key, domain)
join hop h on h.referral_id = r.id
where h.status in ('accepted', 'in-progress', 'on-hold', 'completed')
order by h.referral_id, h.number
