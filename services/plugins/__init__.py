"""部门接入: departments' own programs on the bus."""
