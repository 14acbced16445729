"""What the harness may do on AWS: three roles, whose policies are generated from the calls that the code makes."""
