"""AWS Fault Injection Service: experiment templates read and written, experiments started and followed."""
