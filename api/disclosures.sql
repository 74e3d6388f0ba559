-- What was disclosed of a person, the newest first: person, position (at, chain, number, referral), limit, and who asks:
-- organization and type.
-- name: known
select exists (
    select from referral
    where person_key = $1
        and (
            sender = $2 -- seen by: sender
            or (hub = $2 and reviewed) -- seen by: hub
            or ($3::text = 'operator' and $2::text is not null) -- seen by: any operator
        )
) or exists (
    select from audit_disclosure
    where person_key = $1
        and tenant = $2 -- seen by: owner
)

-- name: of_person
select at, referral_id, recipient, shown, basis, rule, action, purpose, chain, number
from audit_disclosure d
where person_key = $1
    and ($2::timestamptz is null or (at, chain, number, referral_id) < ($2, $3::text, $4::bigint, $5::uuid))
    and (
        tenant = $7 -- seen by: owner
        or exists (
            select from referral r where r.id = d.referral_id
                and (r.hub = $7 and r.reviewed) -- seen by: hub
        )
        or ($8::text = 'operator' and $7::text is not null) -- seen by: any operator
    )
order by at desc, chain desc, number desc, referral_id desc
limit $6
