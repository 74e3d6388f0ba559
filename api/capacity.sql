-- name: own_service
select body::text as body, capacity::text as capacity from service where id = $1 and tenant = $2
