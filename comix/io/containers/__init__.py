"""What a comic comes in: archives, documents, folders; read only, by what they are and not by what they are called."""
