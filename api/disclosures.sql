-- What was disclosed of a person, the newest first: person, position (at, chain, number, referral), limit.
-- name: of_person
select at, referral_id, recipient, shown, basis, rule, action, purpose, chain, number
from audit_disclosure
where person_key = $1
    and ($2::timestamptz is null or (at, chain, number, referral_id) < ($2, $3::text, $4::bigint, $5::uuid))
order by at desc, chain desc, number desc, referral_id desc
limit $6

-- name: person_of
select person_key from referral where id = $1
