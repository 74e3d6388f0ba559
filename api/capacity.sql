-- name: own_service
select s.body::text as body, c.data::text as said
from service s
left join stream c on c.kind = 'capacity' and c.id = s.id and c.tenant = s.tenant
where s.id = $1
    and s.tenant = $2 -- seen by: owner
