-- What operators opened, the newest first, with how many looks are on record; of one organization where that is said.
-- name: openings
select b.id, b.tenant as organization, b.referral_id as referral, coalesce(u.email, b.user_id::text) as by, b.reason,
    b.opened_at, coalesce(b.ended_at, b.ends_at) as until,
    (
        select count(*) from audit_record r
        where r.kind = 'break-glass' and r.at between b.opened_at and coalesce(b.ended_at, b.ends_at)
            and convert_from(r.body, 'UTF8')::jsonb ->> 'opening' = b.id::text
            and convert_from(r.body, 'UTF8')::jsonb ->> 'action' = 'look'
    ) as looks
from break_glass b
left join app_user u on u.id = b.user_id
where $1::text is null or b.tenant = $1
order by b.opened_at desc, b.id
