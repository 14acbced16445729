"""The network of the architecture: TCP links that security groups, network ACLs, routes and faults rule."""
