-- Whose consent it is, as far as the caller ($4) may know: as its record says, as the newest referral that names it says.
-- name: person
select
    (select (data ->> 'person_key')::uuid from stream
     where kind = 'consent' and id = $1
        and tenant = $4 -- seen by: owner
    ) as recorded,
    (select person_key from referral
     where sender = $2 and consent_id = $3 and (
            sender = $4 -- seen by: sender
            or (hub = $4 and reviewed) -- seen by: hub
        )
     order by created_at desc limit 1) as named

-- name: standing
select version, data -> 'consent' ->> 'status' as status, data ->> 'since' as since
from stream
where kind = 'consent' and id = $1
    and tenant = $2 -- seen by: owner
