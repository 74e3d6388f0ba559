-- Whose consent it is: as its record says, and as the newest referral that names it says.
-- name: person
select
    (select (data ->> 'person_key')::uuid from stream where kind = 'consent' and id = $1) as recorded,
    (select person_key from referral
     where sender = $2 and consent_id = $3
     order by created_at desc limit 1) as named

-- name: standing
select version, data -> 'consent' ->> 'status' as status, data ->> 'since' as since
from stream where kind = 'consent' and id = $1
