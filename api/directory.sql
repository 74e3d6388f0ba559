-- name: organizations
select o.id, o.name, o.type,
    (select s.body ->> 'organization' from service s where s.tenant = o.id order by s.id limit 1) as hsds
from organization o
where o.active and o.id > $1
    and ($3 = '' or position($3 in plain_words(o.name)) > 0 or position($3 in plain_words(o.id)) > 0)
order by o.id limit $2

-- Active services by words ('' = any), need, language, and near a place: those that serve its ZIP or county, and those
-- within $8 km; after a position (km, name, id) of that order. The records themselves are read for one page alone.
-- name: search
with page as materialized (
    select s.id, s.name, found.km, found.serves
    from service s
    cross join lateral (
        select
            case
                when $4 = '' then 0
                when s.latitude is null or s.longitude is null then 1e9
                else 12742 * asin(least(1, sqrt(
                    power(sin(radians(s.latitude - $6::double precision) / 2), 2)
                    + cos(radians($6)) * cos(radians(s.latitude))
                    * power(sin(radians(s.longitude - $7::double precision) / 2), 2))))
            end::double precision as km,
            $4 <> '' and (
                coalesce((s.routing ->> 'statewide')::boolean, false)
                or s.routing -> 'postal_codes' ? $4
                or s.routing -> 'counties' ? $5) as serves
    ) as found
    where s.active
        and ($1 = '' or s.search @@ to_tsquery('simple', $1))
        and ($2 = '' or s.routing -> 'domains' ? $2)
        and ($3 = '' or s.routing -> 'languages' ? $3
            or ($3 = 'en' and coalesce(jsonb_array_length(s.routing -> 'languages'), 0) = 0))
        and ($4 = '' or found.km <= $8::double precision or found.serves)
        and (found.km, s.name, s.id) > ($9::double precision, $10::text, $11::uuid)
    order by found.km, s.name, s.id
    limit $12
)
select p.id, p.name, p.km, p.serves, s.routing::text as routing, s.body::text as body, c.data::text as said
from page p
join service s using (id)
left join stream c on c.kind = 'capacity' and c.id = s.id and c.tenant = s.tenant
order by p.km, p.name, p.id
