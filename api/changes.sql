-- name: ask_as
select set_config('refex.organization', $1, true)

-- name: outcomes
select event_id, outcome, reason, detail, version, stream_id from inbox
where tenant = $1 -- seen by: owner
    and event_id = any ($2::uuid[])
