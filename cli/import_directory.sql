-- name: services_in_force
select s.id::text as id, s.version, s.tenant as organization,
    coalesce(s.body #>> '{provenance,source}', s.tenant) as source,
    coalesce(s.body #>> '{provenance,id}', s.body ->> 'source_id', s.body ->> 'id', s.id::text) as source_id,
    s.body #>> '{provenance,digest}' as digest, coalesce(t.type = 'service-ended', false) as ended
from service s left join stream t on t.kind = 'service' and t.id = s.id

-- name: services_count
select count(*) from service
